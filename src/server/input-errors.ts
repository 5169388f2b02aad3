import { GraphQLError, TokenKind, type Token } from 'graphql';
import { ERROR_MESSAGE_MAX_LENGTH } from './limits.js';

/** Of what GraphQL itself refuses: the field it concerns, and a message that says so without the rest of the schema. */

const SUGGESTION = / ?Did you mean (?:to use an inline fragment on )?.+?\?$/s;
const OF_VARIABLE = /^Variable "\$(\w+)"/;
const INNER_PATH = / at "(\w+[\w.[\]]*)"; /;
const NAMED_INSIDE = [/^Field "(?:\w+\.)?(\w+)" (?:of required type|is not defined|must be non-null)/, /argument "(\w+)" of type/, /^Unknown argument "(\w+)"/, /^Argument "(\w+)"/];

/** True for what the executor throws about an argument: it has a path like a resolver's error, but the client's mistake behind it. */
export const isArgumentError = (error: GraphQLError): boolean => /^Argument "\w+" (?:of|has) /.test(error.message);

export function fieldOf(error: GraphQLError): string | undefined {
  const inner = innerMessage(error.message);
  for (const pattern of NAMED_INSIDE) {
    const name = pattern.exec(inner)?.[1];
    if (name) return name;
  }
  const variable = OF_VARIABLE.exec(error.message)?.[1];
  if (variable) return lastName(INNER_PATH.exec(error.message)?.[1] ?? variable);
  return isValueError(error) ? nameBefore(error.nodes?.[0]?.loc?.startToken) : undefined;
}

/** `Variable "$input" got invalid value {…} at "input.amount"; Not an amount…` repeats the value, which may be long or secret; the end says it all. */
export function messageOf(error: GraphQLError, hideSuggestions: boolean): string {
  const inner = innerMessage(error.message);
  const message = inner === error.message ? inner : `Variable "$${OF_VARIABLE.exec(error.message)?.[1]}"${pathOf(error.message)}: ${inner}`;
  const shown = hideSuggestions ? message.replace(SUGGESTION, '') : message;
  return shown.length > ERROR_MESSAGE_MAX_LENGTH ? `${shown.slice(0, ERROR_MESSAGE_MAX_LENGTH)}…` : shown;
}

const lastName = (path: string): string => path.replace(/\[\d+\]/g, '').split('.').at(-1)!;

const pathOf = (message: string): string => {
  const path = INNER_PATH.exec(message)?.[1];
  return path ? ` at "${path}"` : '';
};

function innerMessage(message: string): string {
  if (!/^Variable "\$\w+" got invalid value /.test(message)) return message;
  const path = INNER_PATH.exec(message);
  if (path) return message.slice(path.index + path[0].length);
  return message.slice(message.lastIndexOf('; ') + 2);
}

const VALUE_KINDS = new Set(['IntValue', 'FloatValue', 'StringValue', 'BooleanValue', 'NullValue', 'EnumValue', 'ListValue', 'ObjectValue']);
const isValueError = (error: GraphQLError): boolean => VALUE_KINDS.has(error.nodes?.[0]?.kind ?? '');

/** The argument or input field that a literal is given to: the nearest `name:` before it that is not inside a value already closed. */
function nameBefore(start: Token | undefined): string | undefined {
  let closed = 0;
  for (let token = start?.prev; token; token = token.prev) {
    if (token.kind === TokenKind.BRACKET_R || token.kind === TokenKind.BRACE_R) closed += 1;
    else if (token.kind === TokenKind.BRACKET_L || token.kind === TokenKind.BRACE_L) closed -= 1;
    else if (token.kind === TokenKind.PAREN_L || token.kind === TokenKind.EQUALS) return undefined;
    else if (token.kind === TokenKind.COLON && closed <= 0 && token.prev?.kind === TokenKind.NAME) return token.prev.value;
  }
  return undefined;
}
