/**
 * An example file is a GraphQL document whose last comment lines may say `# variables: {…}` and `# headers: {…}`; the page shows those in their own editors.
 * `{{name}}` in them stands for a value of an earlier answer (see memory.js).
 */
export function tabsOf(files) {
  return files.map(({ query }) => {
    const settings = { variables: '', headers: '' };
    const shown = query.split('\n').filter((line) => {
      const [, name, json] = /^# (variables|headers): (.*)$/.exec(line) ?? [];
      if (name) settings[name] = JSON.stringify(JSON.parse(json), null, 2);
      return !name;
    });
    return { query: `${shown.join('\n').trim()}\n`, ...settings };
  });
}
