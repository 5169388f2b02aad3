import { Extensions } from 'type-graphql';

/**
 * The events of a subscription are what its field shows: the resolver changes nothing and nothing is looked up for it. Then the edge may write an event straight
 * to the socket, without execution; and where several subscribers are given the very same object, its text is made once (`shared`).
 */
export const EventAsIs = ({ shared = false }: { shared?: boolean } = {}): MethodDecorator => Extensions({ eventAsIs: shared ? 'shared' : 'own' }) as MethodDecorator;
