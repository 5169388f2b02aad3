import { globSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** The project's own files, for tests that read them. Paths are relative to the project's root, where tests run. */
export const filesOf = (folder: string, extension: string): string[] => globSync(`${folder}/**/*${extension}`).sort();

const MADE = ['node_modules', 'dist', 'coverage', '.git', '.data'];

/** Every file of a checkout, without what is made or installed in it. */
export const checkout = (): string[] =>
  globSync(['**/*', '.*', '.ci/**'], { withFileTypes: true, exclude: (entry) => MADE.includes(entry.name) })
    .filter((entry) => entry.isFile())
    .map((entry) => relative('.', join(entry.parentPath, entry.name)));

export const read = (file: string): string => readFileSync(file, 'utf8');

/** What a source file imports: the specifiers of its imports, re-exports and dynamic imports; either those of types alone, or those that stay at run time. */
export function importsOf(file: string, types: boolean): string[] {
  const statements = [...read(file).matchAll(/^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm)].map(([, type, specifier]) => ({ types: type !== undefined, specifier: specifier! }));
  const dynamic = [...read(file).matchAll(/\bimport\('([^']+)'\)/g)].map(([, specifier]) => ({ types: false, specifier: specifier! }));
  return [...statements, ...dynamic].filter((statement) => statement.types === types).map(({ specifier }) => specifier);
}
