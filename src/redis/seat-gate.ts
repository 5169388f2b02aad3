import type { Redis } from 'ioredis';

export class SeatGate {
  constructor(readonly redis: Redis) {}
}
