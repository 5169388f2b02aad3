import { GraphQLError, GraphQLScalarType, Kind, type ValueNode } from 'graphql';
import { isMoney, MONEY_MAX } from '../domain/money.js';

/** The node of a literal tells the client which argument it was. */
const refuse = (message: string, node?: ValueNode): never => {
  throw new GraphQLError(message, node ? { nodes: node } : {});
};

const ISO_INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$/;
const toDate = (value: unknown, node?: ValueNode): Date => {
  const date = typeof value === 'string' && ISO_INSTANT.test(value) ? new Date(value) : new Date(Number.NaN);
  return Number.isNaN(date.getTime()) ? refuse('Not an instant: use ISO 8601 with a zone, such as 2026-11-20T12:00:00.000Z.', node) : date;
};

export const DateTime = new GraphQLScalarType<Date, string>({
  name: 'DateTime',
  description: 'An instant, ISO 8601 in UTC with milliseconds: 2026-11-20T12:00:00.000Z.',
  serialize: (value) => (value instanceof Date ? value.toISOString() : refuse('Not an instant.')),
  parseValue: (value) => toDate(value),
  parseLiteral: (node) => (node.kind === Kind.STRING ? toDate(node.value, node) : refuse('Not an instant: it must be a string.', node)),
});

const toMoney = (value: unknown, node?: ValueNode): number =>
  isMoney(value) ? value : refuse(`Not an amount: it must be a whole number from 0 to ${MONEY_MAX}.`, node);

export const Money = new GraphQLScalarType<number, number>({
  name: 'Money',
  description:
    "An amount in the currency's minor unit, a whole JSON number from 0 to 9007199254740991; strings are refused. KRW has no minor unit: 1 is ₩1.",
  serialize: (value) => toMoney(value),
  parseValue: (value) => toMoney(value),
  parseLiteral: (node) => (node.kind === Kind.INT ? toMoney(Number(node.value), node) : refuse('Not an amount: it must be a whole number.', node)),
});
