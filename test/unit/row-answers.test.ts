import { buildSchema, execute, Kind, parse, type FieldNode, type OperationDefinitionNode } from 'graphql';
import type { Context } from '../../src/context.js';
import { RowWriter, type WrittenRows } from '../../src/server/row-answers.js';

interface Row {
  id: string;
  number: number | null;
  note?: string | null;
}

const schema = buildSchema('type Row { id: ID! number: Int! note(upper: Boolean): String remark: String } type Query { rows: [Row!]! }');
const field = schema.getQueryType()!.getFields()['rows']!;
let rows: readonly Row[] = [];
let written = 0;
field.extensions = { rowsOf: async () => rows };

const rowOf = (number: number | null): Row & { remark: string } => ({
  get id() {
    written += 1;
    return `"${number}" 座`;
  },
  number,
  remark: 'é',
});

const nodeOf = (query: string): FieldNode => (parse(query).definitions[0] as OperationDefinitionNode).selectionSet.selections[0] as FieldNode;
const writerOf = (query: string): RowWriter | null => RowWriter.of(field, nodeOf(query));

async function answers(query: string, before: WrittenRows | null = null) {
  const answer = await writerOf(query)!.write({}, {} as Context, before);
  return answer && { text: answer.body.toString(), written: answer.written };
}

test('is what the operation itself answers, byte for byte', async () => {
  rows = [rowOf(1), rowOf(2)];
  for (const query of ['{ rows { id number remark } }', '{ all: rows { n: number id id remark remarked: remark } }', 'query Q { rows { remark } }']) {
    const result = await execute({ schema, document: parse(query), rootValue: { rows } });
    expect(nodeOf(query).kind).toBe(Kind.FIELD);
    expect((await answers(query))!.text).toBe(JSON.stringify(result));
  }
  rows = [];
  expect((await answers('{ rows { id } }'))!.text).toBe('{"data":{"rows":[]}}');
});

test('writes only rows that are others than before, wherever they stand', async () => {
  const [one, two, three, four] = [rowOf(1), rowOf(2), rowOf(3), rowOf(4)];
  const query = '{ rows { id number } }';
  rows = [one, two, three, four];
  const first = await answers(query);
  for (const [next, writes] of [[[one, rowOf(20), three, four], 1], [[one, three, four], 0], [[rowOf(0), one, two, three, four], 1], [[four, one], 1]] as const) {
    rows = next;
    const fresh = (await answers(query))!.text;
    written = 0;
    expect((await answers(query, first!.written))!.text).toBe(fresh);
    expect(written).toBe(writes);
  }
});

test('leaves to the operation whatever is more than plain fields, or cannot be written', async () => {
  for (const query of ['{ rows { note } }', '{ rows { id @skip(if: false) } }', '{ rows { ...on Row { id } } }', '{ rows { __typename } }']) expect(writerOf(query)).toBeNull();
  rows = [rowOf(null)];
  expect(await answers('{ rows { id number } }')).toBeNull();
  expect((await answers('{ rows { id } }'))!.text).toContain('null');
  field.extensions = { rowsOf: () => Promise.reject(new Error('no such date')) };
  expect(await writerOf('{ rows { id } }')!.write({}, {} as Context, null)).toBeNull();
  field.extensions = {};
  expect(writerOf('{ rows { id } }')).toBeNull();
});
