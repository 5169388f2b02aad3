// A plugin of codegen: the text of every operation as typed clients send it, for the server to know from its start.
import { Kind, print, visit } from 'graphql';

export function plugin(_schema, files) {
  const definitions = files.flatMap(({ document }) => document.definitions);
  const fragments = new Map(definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION).map((fragment) => [fragment.name.value, fragment]));
  const operations = definitions.filter(({ kind, operation }) => kind === Kind.OPERATION_DEFINITION && operation !== 'subscription');
  const texts = operations.map((operation) => print({ kind: Kind.DOCUMENT, definitions: [operation, ...fragmentsOf(operation, fragments)] }));
  return [
    '/** Made by codegen: the documents of its typed operations. */',
    'export const KNOWN_DOCUMENTS: readonly string[] = [',
    ...texts.map((text) => `  ${JSON.stringify(text)},`),
    '];',
    '',
  ].join('\n');
}

/** Each once, in the order in which the operation comes upon them. */
function fragmentsOf(definition, fragments, found = new Map()) {
  visit(definition, {
    FragmentSpread({ name: { value } }) {
      if (found.has(value)) return;
      found.set(value, fragments.get(value));
      fragmentsOf(fragments.get(value), fragments, found);
    },
  });
  return [...found.values()];
}
