// Compiled with tsc --strict, never run: what an extension's author writes has types.
import type { ExtensionContext, RequestError } from '../../../../platform/node/bulkhead';

export async function activate(context: ExtensionContext): Promise<void> {
  const registered = context.commands.register('greet', async ([name], { signal, progress }) => {
    progress({ percent: 50 });
    if (signal.aborted) return undefined;
    return `hello ${name}`;
  });
  context.subscriptions.push(registered);
  context.log.info('ready', { commands: 1 });
  try {
    const answer = await context.request('window-show-message', { message: 'hi' }, { timeoutMs: 100 });
    context.log.debug(JSON.stringify(answer));
  } catch (error) {
    if ((error as RequestError).code === 'permission_denied') context.log.warn('not allowed');
  }
  for await (const piece of context.fs.createReadStream('large')) context.log.info(String(piece.length));
  context.fs.createWriteStream('copy', { overwrite: false }).end('text');
  // @ts-expect-error a command needs a handler
  context.commands.register('nothing');
}
