import { setImmediate } from 'node:timers/promises';
import { defaultFieldResolver, getNullableType, isLeafType, isListType, isNonNullType, isObjectType, Kind, type FieldNode, type GraphQLField, type GraphQLLeafType, type GraphQLObjectType } from 'graphql';
import type { Context } from '../context.js';
import { rowsOfField, type RowsOf } from '../resolvers/row-list.js';

/**
 * Answers that are nothing but a list of rows with plain fields, written row by row: of a list that is read anew after a change only those rows are written again
 * that are other objects than before.
 */

/** Rows that are written in one go; then there is room for other requests. */
const PART = 1000;
/** So many rows may have left the list at one place; beyond that those behind them are written anew. */
const LOOK_AHEAD = 8;

/** What was written, to be used again. */
export interface WrittenRows {
  readonly rows: readonly object[];
  readonly texts: readonly string[];
}
const NOTHING: WrittenRows = { rows: [], texts: [] };

interface Leaf {
  /** As JSON. */
  name: string;
  property: string;
  type: GraphQLLeafType;
  isNullable: boolean;
}

export class RowWriter {
  private constructor(
    private readonly name: string,
    private readonly rowsOf: RowsOf,
    private readonly leaves: readonly Leaf[],
  ) {}

  /** Null for a field that is not such a list, or of which more is asked than plain fields of its rows. */
  static of(field: GraphQLField<unknown, unknown>, node: FieldNode): RowWriter | null {
    const rowsOf = rowsOfField(field);
    const leaves = rowsOf ? leavesOf(rowTypeOf(field), node) : null;
    return rowsOf && leaves ? new RowWriter(nameOf(node), rowsOf, leaves) : null;
  }

  /** Null where only the operation itself can answer, be it in the right words. */
  async write(args: Record<string, unknown>, context: Context, before: WrittenRows | null): Promise<{ body: Buffer; written: WrittenRows } | null> {
    try {
      const rows = await this.rowsOf(args, context);
      const texts = await this.#textsOf(rows, before ?? NOTHING);
      return { body: Buffer.from(`{"data":{${this.name}:[${texts.join(',')}]}}`), written: { rows, texts } };
    } catch {
      return null;
    }
  }

  async #textsOf(rows: readonly object[], before: WrittenRows): Promise<string[]> {
    const texts: string[] = [];
    let [at, left] = [0, PART];
    for (const row of rows) {
      const known = placeOf(row, before.rows, at);
      if (known < 0) {
        texts.push(this.#textOf(row as Record<string, unknown>));
        if ((left -= 1) === 0) {
          await setImmediate();
          left = PART;
        }
      } else {
        texts.push(before.texts[known]!);
        at = known + 1;
      }
    }
    return texts;
  }

  #textOf(row: Record<string, unknown>): string {
    const parts = this.leaves.map(({ name, property, type, isNullable }) => {
      const value = row[property];
      const written = value === null || value === undefined ? null : type.serialize(value);
      if (written === undefined || (written === null && !isNullable)) throw new Error(`There is no ${property}.`);
      return `${name}:${JSON.stringify(written)}`;
    });
    return `{${parts.join(',')}}`;
  }
}

/** From `at` on, and not far: a row that is another object than before stands where the old one stood. */
function placeOf(row: object, rows: readonly object[], at: number): number {
  const end = Math.min(rows.length, at + LOOK_AHEAD);
  for (let place = at; place < end; place += 1) if (rows[place] === row) return place;
  return -1;
}

const nameOf = ({ alias, name }: FieldNode): string => JSON.stringify((alias ?? name).value);

function rowTypeOf({ type }: GraphQLField<unknown, unknown>): GraphQLObjectType | null {
  const list = getNullableType(type);
  const item = isListType(list) ? getNullableType(list.ofType) : null;
  return isObjectType(item) ? item : null;
}

function leavesOf(type: GraphQLObjectType | null, { selectionSet }: FieldNode): Leaf[] | null {
  const leaves = new Map<string, Leaf>();
  for (const node of selectionSet?.selections ?? []) {
    const field = node.kind === Kind.FIELD ? type?.getFields()[node.name.value] : undefined;
    const leaf = field && getNullableType(field.type);
    if (node.kind !== Kind.FIELD || (node.directives?.length ?? 0) > 0 || !isLeafType(leaf) || !isPlain(field!)) return null;
    leaves.set(nameOf(node), { name: nameOf(node), property: field!.name, type: leaf, isNullable: !isNonNullType(field!.type) });
  }
  return leaves.size > 0 ? [...leaves.values()] : null;
}

const isPlain = ({ args, resolve }: GraphQLField<unknown, unknown>): boolean => args.length === 0 && (resolve === undefined || resolve === defaultFieldResolver);
