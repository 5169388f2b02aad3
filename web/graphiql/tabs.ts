/** One example as GraphiQL shows it: three texts for its three editors. */
export interface Tab {
  query: string;
  variables: string;
  headers: string;
}

/**
 * An example file is a GraphQL document whose last comment lines may say `# variables: {…}` and `# headers: {…}`; the page shows those in their own editors.
 * `{{name}}` in them stands for a value of an earlier answer (see memory.ts).
 */
export function tabOf(file: string): Tab {
  const settings = { variables: '', headers: '' };
  const shown = file.split('\n').filter((line) => {
    const [, name, json] = /^# (variables|headers): (.*)$/.exec(line) ?? [];
    if (name === undefined) return true;
    settings[name as keyof typeof settings] = JSON.stringify(JSON.parse(json!), null, 2);
    return false;
  });
  return { query: `${shown.join('\n').trim()}\n`, ...settings };
}
