exports.activate = context => {
  context.commands.register('format', async ([text]) => text.trim().replace(/\s+/g, ' '));
};
