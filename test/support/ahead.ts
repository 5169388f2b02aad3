import { allAnsweredAhead, goAhead } from './both-ways.js';

/** Imported before the tests of another file: they go ahead of Apollo, wherever that is possible. */

goAhead();

afterAll(async () => expect(await allAnsweredAhead()).toBeGreaterThan(0));
