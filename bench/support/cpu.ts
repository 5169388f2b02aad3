import { readFileSync } from 'node:fs';

/** What a process has used, from the kernel's own books. */

const TICK_US = 10_000;
/** Behind the name of the program, which may hold anything: state is the first field after it. */
const [UTIME, STIME] = [11, 12];

/** Microseconds on a core of all its threads, in user space and in the kernel, since it began. */
export function cpuUsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[UTIME]) + Number(fields[STIME])) * TICK_US;
}

export function residentBytesOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
