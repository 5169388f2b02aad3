import { globSync, readFileSync } from 'node:fs';

/** The project's own files, for tests that read them. Paths are relative to the project's root, where tests run. */
export const filesOf = (folder: string, extension: string): string[] => globSync(`${folder}/**/*${extension}`).sort();

export const read = (file: string): string => readFileSync(file, 'utf8');

/** What a source file imports: the specifiers of its import and export-from statements, types included. */
export const importsOf = (file: string): string[] =>
  [...read(file).matchAll(/^(?:import|export)\s(?:[^'";]*?\sfrom\s)?'([^']+)'|\bimport\('([^']+)'\)/gm)].map((match) => match[1] ?? match[2]!);
