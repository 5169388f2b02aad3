import { APART, catalogue } from './catalogue.js';
import { command } from './support/command.js';
import { listenForCtrlC } from './support/interruption.js';

/** `npm run drill -- <name> --seed N`: breaks Frontrow on purpose and says whether anything was lost. */
process.exitCode = await command(process.argv.slice(2), {
  catalogue,
  apart: APART,
  write: (line) => console.log(line),
  complain: (line) => console.error(line),
  interruption: listenForCtrlC,
  save: true,
});
