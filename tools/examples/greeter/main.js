exports.activate = context => {
  context.commands.register('greet', async ([name]) => {
    await context.request('window-show-message', { message: `greeting ${name}` });
    return `hello ${name}`;
  });
};
