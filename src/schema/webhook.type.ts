import { Field, ID, Int, ObjectType } from 'type-graphql';
import type { EventType } from '../domain/event.js';
import type { DeliveryState } from '../domain/states.js';
import { DeliveryStateEnum, EventTypeEnum } from './enums.js';
import { PageInfo } from './page-info.type.js';
import { DateTime } from './scalars.js';

@ObjectType({ description: 'A receiver that events are posted to as JSON, signed with its secret.', simpleResolvers: true })
export class Webhook {
  @Field(() => ID, { description: 'UUID.' })
  id!: string;

  @Field(() => String, { description: 'Where events are posted to.' })
  url!: string;

  @Field(() => [EventTypeEnum], { description: 'What it is told of.' })
  events!: EventType[];

  @Field(() => Boolean, { description: 'False: nothing new is told to it, and what waits goes on waiting.' })
  enabled!: boolean;

  @Field(() => DateTime, { description: 'When it was added.' })
  createdAt!: Date;
}

@ObjectType({ description: 'A page of webhooks, newest first.', simpleResolvers: true })
export class WebhookConnection {
  @Field(() => [Webhook], { description: 'The webhooks of this page.' })
  nodes!: Webhook[];

  @Field(() => PageInfo, { description: 'How to go on.' })
  pageInfo!: PageInfo;
}

@ObjectType({ description: 'A webhook with its new secret, which is never told again.', simpleResolvers: true })
export class CreatedWebhook {
  @Field(() => Webhook, { description: 'The webhook.' })
  webhook!: Webhook;

  @Field(() => String, { description: 'Key of the HMAC-SHA256 over `timestamp.body` that comes in the header Frontrow-Signature.' })
  secret!: string;
}

@ObjectType({ description: 'One event on its way to one webhook.', simpleResolvers: true })
export class WebhookDelivery {
  @Field(() => ID, { description: 'UUID.' })
  id!: string;

  @Field(() => ID, { description: 'UUID of the webhook.' })
  webhookId!: string;

  @Field(() => ID, { description: 'UUID of the event: the same at every attempt, and in the stream.' })
  eventId!: string;

  @Field(() => EventTypeEnum, { description: 'What happened.' })
  eventType!: EventType;

  @Field(() => DeliveryStateEnum, { description: 'How far it is.' })
  state!: DeliveryState;

  @Field(() => Int, { description: 'How often it was tried.' })
  attempts!: number;

  @Field(() => Int, { nullable: true, description: 'HTTP status of the last answer; null without one.' })
  lastStatus!: number | null;

  @Field(() => String, { nullable: true, description: 'Why the last attempt failed; null if it did not.' })
  lastError!: string | null;

  @Field(() => DateTime, { description: 'When it was begun.' })
  createdAt!: Date;
}

@ObjectType({ description: 'A page of deliveries, newest first.', simpleResolvers: true })
export class WebhookDeliveryConnection {
  @Field(() => [WebhookDelivery], { description: 'The deliveries of this page.' })
  nodes!: WebhookDelivery[];

  @Field(() => PageInfo, { description: 'How to go on.' })
  pageInfo!: PageInfo;
}
