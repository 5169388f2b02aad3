import type { MigrationObject } from '@mikro-orm/core';
import { Initial } from './001-initial.js';
import { Outbox } from './002-outbox.js';
import { QueueLine } from './003-queue-line.js';
import { Cancellation } from './004-cancellation.js';
import { Rotation } from './005-rotation.js';
import { AdmittedEpoch } from './006-admitted-epoch.js';
import { SeatVersion } from './007-seat-version.js';
import { UnusedIndex } from './008-unused-index.js';
import { CheaperWrites } from './009-cheaper-writes.js';
import { resumable } from './resumable.js';

/** In the order they are applied. A released migration is never changed. */
export const migrations: MigrationObject[] = [
  { name: '001-initial', class: resumable(Initial) },
  { name: '002-outbox', class: resumable(Outbox) },
  { name: '003-queue-line', class: resumable(QueueLine) },
  { name: '004-cancellation', class: resumable(Cancellation) },
  { name: '005-rotation', class: resumable(Rotation) },
  { name: '006-admitted-epoch', class: resumable(AdmittedEpoch) },
  { name: '007-seat-version', class: resumable(SeatVersion) },
  { name: '008-unused-index', class: resumable(UnusedIndex) },
  { name: '009-cheaper-writes', class: resumable(CheaperWrites) },
];
