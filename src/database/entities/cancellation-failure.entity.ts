import { defineEntity, p } from '@mikro-orm/core';

/** Why a reservation of a cancelled date could not be ended, and when it is tried again. Once it has ended the row is history. */
const schema = defineEntity({
  name: 'CancellationFailure',
  tableName: 'cancellation_failure',
  properties: {
    reservationId: p.uuid().primary(),
    error: p.string().length(200),
    attempts: p.integer(),
    failedAt: p.datetime(3),
    retryAt: p.datetime(3),
  },
});

export class CancellationFailure extends schema.class {}
schema.setClass(CancellationFailure);
