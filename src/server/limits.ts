/** What one client may ask of the edge. The same on HTTP and websocket; each has a test at the limit and one above. */
export const TOKENS_MAX = 1000;
export const DEPTH_MAX = 10;
export const FIELDS_MAX = 300;
export const ALIASES_MAX = 20;
export const ROOT_FIELDS_MAX = 10;
export const MUTATIONS_MAX = 1;
/** venues { nodes { sections { rows } } } are three. */
export const LISTS_NESTED_MAX = 3;
/** The dates of the concert of each date of a concert are as many as the dates times themselves: no list of a type inside a list of that type. */
export const LISTS_OF_A_TYPE_NESTED_MAX = 1;
export const ERRORS_MAX = 5;
export const MESSAGE_MAX_BYTES = 64 * 1024;
export const SUBSCRIPTIONS_PER_SOCKET_MAX = 10;
export const SOCKETS_PER_USER_MAX = 5;
/** A guest may subscribe to nothing; one that then keeps its socket without a subscription costs memory for nothing. */
export const GUEST_IDLE_MS = 5000;
export const INIT_TIMEOUT_MS = 3000;
export const UNACKNOWLEDGED_SOCKETS_MAX = 1000;

/** Below the 60 s after which proxies close an idle connection of their own accord. */
export const SOCKET_PING_MS = 12_000;
/** Word of a sign-out may be lost on its way; so often the sessions of open sockets are looked up again. */
export const SESSION_RECHECK_MS = 60_000;
/** A reader this far behind is cut off: what it has not read is kept in our memory. */
export const SOCKET_BACKLOG_MAX_BYTES = 1024 * 1024;

/** Longer than nginx keeps an idle upstream connection (60 s), so that nginx never sends into one that we are closing. */
export const KEEP_ALIVE_TIMEOUT_MS = 72_000;
export const HEADERS_TIMEOUT_MS = 10_000;
/** To receive a whole request: 64 KiB need no longer. */
export const REQUEST_TIMEOUT_MS = 30_000;

/** So long a client waits for the answer to an operation, or for the start of a subscription, at most: a store that takes statements and answers none would keep it for ever. */
export const REQUEST_DEADLINE_MS = 5000;
/** What is not done by then is given up, so that the answer is sent by the deadline. */
export const GIVEN_UP_AFTER_MS = REQUEST_DEADLINE_MS - 500;

/** A message echoes what the client sent; this much of it is enough to find the mistake. */
export const ERROR_MESSAGE_MAX_LENGTH = 500;
