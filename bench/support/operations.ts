import { print, type DocumentNode } from 'graphql';

/** Operations as clients send them: the text of a document and its variables. */

const texts = new WeakMap<DocumentNode, string>();

function textOf(document: DocumentNode): string {
  let text = texts.get(document);
  if (text === undefined) texts.set(document, (text = print(document)));
  return text;
}

export const bodyOf = (operation: DocumentNode | string, variables: object = {}): string =>
  JSON.stringify({ query: typeof operation === 'string' ? operation : textOf(operation), variables });
