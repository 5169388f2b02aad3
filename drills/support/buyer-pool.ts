import type { DrillBuyer } from './buyer.js';

/** Buyers who are free to act: taken one at a time, and given back by those who did not use up what they have. More are made when few are left. */
export class BuyerPool {
  readonly everyone: DrillBuyer[] = [];
  readonly #free: DrillBuyer[] = [];
  #making: Promise<void> | undefined;

  constructor(
    private readonly make: (count: number) => Promise<DrillBuyer[]>,
    private readonly batch: number,
  ) {}

  async take(): Promise<DrillBuyer> {
    while (this.#free.length === 0) await this.fill();
    if (this.#free.length < this.batch / 4) void this.fill().catch(() => undefined);
    return this.#free.shift()!;
  }

  give(buyer: DrillBuyer): void {
    this.#free.push(buyer);
  }

  fill(count = this.batch): Promise<void> {
    this.#making ??= this.make(count)
      .then((made) => {
        this.everyone.push(...made);
        this.#free.push(...made);
      })
      .finally(() => (this.#making = undefined));
    return this.#making;
  }
}
