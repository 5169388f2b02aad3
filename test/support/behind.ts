import type { App } from '../../src/app.js';

/** For who has changed rows of dates or of the catalogue behind the product's back: tells every instance, as the product would have. */
export async function changedBehind(app: Pick<App, 'catalogue' | 'board'>, ...scheduleIds: string[]): Promise<void> {
  await Promise.all([app.catalogue.changed(), app.board.renew(scheduleIds)]);
}
