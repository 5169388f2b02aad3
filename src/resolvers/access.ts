import { defaultFieldResolver, isIntrospectionType, isObjectType, type GraphQLField, type GraphQLObjectType, type GraphQLSchema } from 'graphql';
import { Extensions } from 'type-graphql';
import type { Context } from '../context.js';
import { forbidden, unauthenticated } from '../domain/errors.js';

/**
 * Who may use a field. Decorators only note it; `applyGuards` puts the check in front of the built field (of `subscribe` for a
 * subscription, so that nothing starts unauthorised) and refuses a schema with a root field that says nothing.
 */
export type Access = 'public' | 'signed-in' | 'admin';

/** Which date's concert guards a field: from its arguments, or from the object it is a field of. */
export interface QueueGuard<Args = unknown, Source = unknown> {
  scheduleId: (args: Args, source: Source) => string;
  /** True where a use counts against the pass's bounded number of attempts. */
  countsAttempt: boolean;
}

export const Public = (): MethodDecorator => Extensions({ access: 'public' satisfies Access }) as MethodDecorator;
export const SignedIn = (): MethodDecorator => Extensions({ access: 'signed-in' satisfies Access }) as MethodDecorator;
export const Admin = (): MethodDecorator => Extensions({ access: 'admin' satisfies Access }) as MethodDecorator;
/** Puts any field behind the waiting room: it needs an ACTIVE pass for the concert of the date, so it also needs sign-in. On a root field add `@SignedIn()`. */
export const BehindQueue = <Args, Source>(guard: QueueGuard<Args, Source>): MethodDecorator & PropertyDecorator =>
  Extensions({ queue: guard }) as MethodDecorator & PropertyDecorator;

/**
 * The method is called with the arguments of these names and the context, as graphql has coerced them. Type-graphql's own way there copies each argument into an
 * instance of its class and makes three promises: for what a crowd asks that is a part of what it costs. The method must not use `this`.
 */
export const Direct = (...names: string[]): MethodDecorator =>
  ((prototype: object, name: string | symbol, descriptor: PropertyDescriptor) => {
    const method = descriptor.value as (...args: unknown[]) => unknown;
    const direct: Field['resolve'] = (_source, args, context) => method(...names.map((argument) => args[argument]), context);
    (Extensions({ direct }) as MethodDecorator)(prototype, name, descriptor);
  }) as MethodDecorator;

/** The same for a field of an object: the method is called with the object and the context. */
export const DirectField: MethodDecorator = (prototype: object, name: string | symbol, descriptor: PropertyDescriptor) => {
  const method = descriptor.value as (...args: unknown[]) => unknown;
  const direct: Field['resolve'] = (source, _args, context) => method(source, context);
  (Extensions({ direct }) as MethodDecorator)(prototype, name, descriptor);
};

type Field = GraphQLField<unknown, Context>;
type Guard = (args: Record<string, unknown>, context: Context, source: unknown) => Promise<void> | void;

export function applyGuards(schema: GraphQLSchema): GraphQLSchema {
  const roots = new Set<GraphQLObjectType>([schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].filter((type) => !!type));
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || isIntrospectionType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      const { access, queue, direct } = field.extensions as { access?: Access; queue?: QueueGuard; direct?: Field['resolve'] };
      if (roots.has(type) && !access) throw new Error(`${type.name}.${field.name} must say who may use it: @Public(), @SignedIn() or @Admin().`);
      if (direct) field.resolve = direct as typeof field.resolve;
      if (queue && access === 'public') throw new Error(`${type.name}.${field.name} is behind the queue, so it must need sign-in too.`);
      guardField(field as Field, guardsOf(access ?? 'public', queue), type === schema.getSubscriptionType());
    }
  }
  return schema;
}

function guardsOf(access: Access, queue: QueueGuard | undefined): Guard[] {
  const guards: Guard[] = [];
  if (access !== 'public') guards.push((_args, context) => void viewerOf(context));
  if (access === 'admin') {
    guards.push((_args, context) => {
      if (viewerOf(context).role !== 'ADMIN') throw forbidden();
    });
  }
  if (queue) {
    guards.push((args, context, source) => {
      const token = typeof args['queueToken'] === 'string' ? args['queueToken'] : context.queueToken;
      const scheduleId = queue.scheduleId(args, source);
      if (!queue.countsAttempt && context.services.queue.remembersPass(viewerOf(context), token, scheduleId)) return;
      return context.services.queue.requirePass(viewerOf(context), token, scheduleId, queue.countsAttempt);
    });
  }
  return guards;
}

function guardField(field: Field, guards: Guard[], isSubscription: boolean): void {
  if (guards.length === 0) return;
  const inner = isSubscription ? field.subscribe! : (field.resolve ?? defaultFieldResolver);
  const guarded: typeof inner = (source, args, context, info) => {
    const passing = passAll(guards, args, context, source);
    return passing ? passing.then(() => inner(source, args, context, info)) : inner(source, args, context, info);
  };
  field.extensions = { ...field.extensions, guards };
  if (isSubscription) field.subscribe = guarded;
  else field.resolve = guarded;
}

/** One after the other, without a turn of the event loop where none of them needs one. */
function passAll(guards: readonly Guard[], args: Record<string, unknown>, context: Context, source: unknown, from = 0): Promise<void> | undefined {
  for (let index = from; index < guards.length; index += 1) {
    const passing = guards[index]!(args, context, source);
    if (passing) return index === guards.length - 1 ? passing : passing.then(() => passAll(guards, args, context, source, index + 1));
  }
  return undefined;
}

/** The guards of a root field alone, for who has its answer already. Throws, or rejects, as the field itself would. */
export function passGuards(field: GraphQLField<unknown, unknown>, args: Record<string, unknown>, context: Context): Promise<void> | undefined {
  return passAll(guardsNotedOn(field), args, context, undefined);
}

/** Whether it is for somebody in particular. */
export const isGuarded = (field: GraphQLField<unknown, unknown>): boolean => guardsNotedOn(field).length > 0;

const guardsNotedOn = (field: GraphQLField<unknown, unknown>): readonly Guard[] => (field.extensions as { guards?: Guard[] }).guards ?? [];

/** The signed-in user; a fault of ours where a field without a guard asks. */
export function viewerOf(context: Context) {
  if (!context.viewer) throw unauthenticated();
  return context.viewer;
}
