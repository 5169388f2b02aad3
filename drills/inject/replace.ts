/** A change of one source file: the text it looks for must be there exactly once. */
export interface Edit {
  /** Below `src/`. */
  file: string;
  find: string;
  replace: string;
}

/** A mutant that changes nothing proves nothing: whoever runs it must hear of that. */
export class TargetGone extends Error {
  override readonly name = 'TargetGone';
  constructor(what: string, where: string, found: number) {
    super(`${what}: the target is gone. ${where} has it ${found} times instead of once.`);
  }
}

export function replaceOnce(source: string, { file, find, replace }: Edit, what: string): string {
  const parts = source.split(find);
  if (parts.length !== 2) throw new TargetGone(what, `src/${file}`, parts.length - 1);
  return parts.join(replace);
}

/** Each changed file, below `src/`, with the text it has then. */
export function mutatedSources(name: string, edits: readonly Edit[], read: (file: string) => string): Map<string, string> {
  const sources = new Map<string, string>();
  for (const edit of edits) sources.set(edit.file, replaceOnce(sources.get(edit.file) ?? read(edit.file), edit, `Mutant ${name}`));
  return sources;
}
