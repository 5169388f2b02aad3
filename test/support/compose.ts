import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export interface ComposeService {
  image?: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[] };
}

/** `${NAME}`, `${NAME:-default}` and `${NAME:?message}` in a compose file. */
const VARIABLE = /\$\{([A-Z_0-9]+)(?::([-?])([^}]*))?\}/g;

export interface Compose {
  text: string;
  services: Record<string, ComposeService>;
}

export const readCompose = (env: Record<string, string>): Compose => {
  const text = readFileSync('docker-compose.yml', 'utf8');
  return { text, services: (parse(interpolate(text, env), { merge: true }) as { services: Record<string, ComposeService> }).services };
};

/** What compose does with the variables of the shell and of .env; an unset one that must be set stops it. */
export function interpolate(text: string, env: Record<string, string>): string {
  return text.replace(VARIABLE, (_whole, name: string, kind: string | undefined, rest: string | undefined) => {
    const value = env[name];
    if (value) return value;
    if (kind === '?') throw new Error(`${name}: ${rest}`);
    return kind === '-' ? rest! : '';
  });
}

export const variablesOf = (text: string): { name: string; required: boolean }[] => [...text.matchAll(VARIABLE)].map(([, name, kind]) => ({ name: name!, required: kind === '?' }));

export interface Instruction {
  stage: number;
  keyword: string;
  rest: string;
}

/** The instructions of the Dockerfile, each with the number of its stage. */
export function readDockerfile(): Instruction[] {
  let stage = -1;
  const lines = readFileSync('Dockerfile', 'utf8').split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [, keyword, rest] = /^([A-Z]+)\s+(.*)$/.exec(line)!;
    if (keyword === 'FROM') stage += 1;
    return { stage, keyword: keyword!, rest: rest! };
  });
}
