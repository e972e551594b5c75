// A whole extension in one file; its id is "single".
export const activate = context => {
  context.commands.register('double', ([number]) => 2 * number);
};
