// An ES module with a top-level await.
const greeting = await Promise.resolve('hello');

export const activate = context => {
  context.commands.register('greet', ([name]) => `${greeting} ${name}`);
};
