import type { Drill } from './drill.js';

export const oversell: Drill = {
  name: 'oversell',
  proves: 'a crowd on few seats: no seat is sold twice, no acknowledged result is lost, nobody is charged without a seat, and every seat is sold in the end',
  run: async () => {},
};
