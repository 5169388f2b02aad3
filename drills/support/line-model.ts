import type { KeptPosition } from './buyer.js';
import type { History, Operation } from './history.js';
import type { Violation } from './model.js';

/** What is true of a line in which everybody keeps looking: places follow the order of coming, admissions that of the places, and nobody is admitted twice. */

export interface AdmittedPass {
  userId: string;
  place: number;
}

export function checkLine(history: History, concertId: string, passes: readonly AdmittedPass[]): Violation[] {
  const joins = history.named('join').filter(({ args, outcome }) => args['concertId'] === concertId && outcome === 'ok');
  const looks = history.named('position').filter(({ args, outcome }) => args['concertId'] === concertId && outcome === 'ok');
  return [...overtakenAtTheDoor(joins), ...overtakenInLine(looks, joins), ...admittedTwice(passes, joins), ...sentBack(looks)];
}

const statusOf = ({ value }: Operation): string | undefined => (value as KeptPosition | null)?.status;
const placeOf = ({ value }: Operation): number => (value as { place: number }).place;

/** Whoever was told of a place before another came stands before the other. */
function overtakenAtTheDoor(joins: readonly Operation[]): Violation[] {
  const ended = joins.toSorted((a, b) => a.endedAt! - b.endedAt!);
  let next = 0;
  let last: Operation | undefined;
  return joins.toSorted((a, b) => a.invokedAt - b.invokedAt).flatMap((join) => {
    for (; ended[next] && ended[next]!.endedAt! < join.invokedAt; next += 1) if (!last || placeOf(ended[next]!) > placeOf(last)) last = ended[next];
    if (!last || last.process === join.process || placeOf(last) < placeOf(join)) return [];
    return [{ kind: 'line-order', what: `place ${placeOf(join)} was given after place ${placeOf(last)}`, operations: [last, join] }];
  });
}

/** Judged by what people saw: a row is marked as admitted after the fact, and later still by a database that was away. */
function overtakenInLine(looks: readonly Operation[], joins: readonly Operation[]): Violation[] {
  const places = new Map(joins.map((join) => [join.process, placeOf(join)]));
  const placeOfLook = ({ process }: Operation): number => places.get(process) ?? -1;
  const admitted = looks.filter((look) => statusOf(look) === 'ACTIVE').toSorted((a, b) => a.endedAt! - b.endedAt!);
  let next = 0;
  let last: Operation | undefined;
  return looks.toSorted((a, b) => a.invokedAt - b.invokedAt).flatMap((look) => {
    for (; admitted[next] && admitted[next]!.endedAt! < look.invokedAt; next += 1) if (!last || placeOfLook(admitted[next]!) > placeOfLook(last)) last = admitted[next];
    if (!last || statusOf(look) !== 'WAITING' || placeOfLook(last) < placeOfLook(look)) return [];
    return [{ kind: 'admission-order', what: `place ${placeOfLook(look)} waits while place ${placeOfLook(last)} is admitted`, operations: [last, look] }];
  });
}

/** Nobody gives a place up here, so there is one pass for each. */
function admittedTwice(passes: readonly AdmittedPass[], joins: readonly Operation[]): Violation[] {
  return [...Map.groupBy(passes, ({ userId }) => userId)].flatMap(([userId, all]) => {
    if (all.length === 1) return [];
    return [{ kind: 'admitted-twice', what: `user ${userId} was admitted at the places ${all.map(({ place }) => place).join(', ')}`, operations: joins.filter(({ process }) => process === userId) }];
  });
}

/** Whoever was shown as admitted waits no more. */
function sentBack(looks: readonly Operation[]): Violation[] {
  return [...Map.groupBy(looks, ({ process }) => process).values()].flatMap((all) => {
    const admitted = all.find((look) => statusOf(look) === 'ACTIVE');
    const later = admitted && all.find((look) => look.invokedAt > admitted.endedAt! && statusOf(look) !== 'ACTIVE');
    return later ? [{ kind: 'sent-back', what: 'somebody who was admitted waits again', operations: [admitted, later] }] : [];
  });
}
