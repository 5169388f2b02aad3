import { Field, InputType } from 'type-graphql';
import type { EventType } from '../domain/event.js';
import { EventTypeEnum } from './enums.js';

@InputType({ description: 'A new webhook.' })
export class CreateWebhookInput {
  @Field(() => String, { description: 'https, at most 500 characters, without user or password. Outside production http to this machine too.' })
  url!: string;

  @Field(() => [EventTypeEnum], { description: 'At least one.' })
  events!: EventType[];
}

@InputType({ description: 'What to change in a webhook; what is left out stays.' })
export class UpdateWebhookInput {
  @Field(() => String, { nullable: true, description: 'As in CreateWebhookInput; what waits goes to the new one.' })
  url?: string | null;

  @Field(() => [EventTypeEnum], { nullable: true, description: 'The whole new list, for events from now on.' })
  events?: EventType[] | null;

  @Field(() => Boolean, { nullable: true, description: 'False pauses it, true lets it go on with what waits.' })
  enabled?: boolean | null;
}
