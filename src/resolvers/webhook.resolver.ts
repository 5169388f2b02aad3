import { Arg, Ctx, ID, Int, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.js';
import type { DeliveryState } from '../domain/states.js';
import { DeliveryStateEnum } from '../schema/enums.js';
import { CreateWebhookInput, UpdateWebhookInput } from '../schema/webhook.input.js';
import { CreatedWebhook, Webhook, WebhookConnection, WebhookDelivery, WebhookDeliveryConnection } from '../schema/webhook.type.js';
import { Admin } from './access.js';

@Resolver()
export class WebhookResolver {
  @Admin()
  @Query(() => WebhookConnection, { description: 'Admin: webhooks, newest first.' })
  webhooks(
    @Arg('first', () => Int, { defaultValue: 20, description: '1 to 100.' }) first: number,
    @Arg('after', () => String, { nullable: true, description: 'endCursor of the page before.' }) after: string | null,
    @Ctx() context: Context,
  ) {
    return context.services.webhooks.page(first, after ?? null);
  }

  @Admin()
  @Query(() => WebhookDeliveryConnection, { description: 'Admin: deliveries whose every attempt failed, newest first. They are kept for 30 days.' })
  deadDeliveries(
    @Arg('first', () => Int, { defaultValue: 20, description: '1 to 100.' }) first: number,
    @Arg('after', () => String, { nullable: true, description: 'endCursor of the page before.' }) after: string | null,
    @Ctx() context: Context,
  ) {
    return context.services.webhooks.deliveryPage('DEAD', null, first, after ?? null);
  }

  @Admin()
  @Query(() => WebhookDeliveryConnection, { description: 'Admin: deliveries in a state, newest first. DELIVERED ones are kept for a day, DEAD ones for 30. NOT_FOUND without such a webhook.' })
  webhookDeliveries(
    @Arg('state', () => DeliveryStateEnum, { description: 'How far they are.' }) state: DeliveryState,
    @Arg('webhookId', () => ID, { nullable: true, description: 'Only those of this webhook.' }) webhookId: string | null,
    @Arg('first', () => Int, { defaultValue: 20, description: '1 to 100.' }) first: number,
    @Arg('after', () => String, { nullable: true, description: 'endCursor of the page before.' }) after: string | null,
    @Ctx() context: Context,
  ) {
    return context.services.webhooks.deliveryPage(state, webhookId ?? null, first, after ?? null);
  }

  @Admin()
  @Mutation(() => CreatedWebhook, {
    description: 'Admin: adds a receiver of events, from now on. The answer is the only one that tells its secret.',
  })
  createWebhook(@Arg('input', () => CreateWebhookInput, { description: 'The new webhook.' }) input: CreateWebhookInput, @Ctx() context: Context) {
    return context.services.webhooks.create(input);
  }

  @Admin()
  @Mutation(() => Webhook, { description: 'Admin: changes, pauses or resumes a webhook. NOT_FOUND without such a webhook.' })
  updateWebhook(
    @Arg('id', () => ID, { description: 'UUID of the webhook.' }) id: string,
    @Arg('input', () => UpdateWebhookInput, { description: 'What to change.' }) input: UpdateWebhookInput,
    @Ctx() context: Context,
  ) {
    return context.services.webhooks.update(id, input);
  }

  @Admin()
  @Mutation(() => CreatedWebhook, {
    description: 'Admin: gives a webhook a new secret. Meanwhile the old one signs too: Frontrow-Signature has both, the new one first. NOT_FOUND without such a webhook.',
  })
  rotateWebhookSecret(
    @Arg('id', () => ID, { description: 'UUID of the webhook.' }) id: string,
    @Arg('keepOldSeconds', () => Int, { defaultValue: 86_400, description: 'For so long the old secret signs too, at most 604800; 0 where it is known to others.' }) keepOldSeconds: number,
    @Ctx() context: Context,
  ) {
    return context.services.webhooks.rotateSecret(id, keepOldSeconds);
  }

  @Admin()
  @Mutation(() => Webhook, { description: 'Admin: removes a webhook with all its deliveries. NOT_FOUND without such a webhook.' })
  deleteWebhook(@Arg('id', () => ID, { description: 'UUID of the webhook.' }) id: string, @Ctx() context: Context) {
    return context.services.webhooks.delete(id);
  }

  @Admin()
  @Mutation(() => WebhookDelivery, {
    description: 'Admin: a DEAD delivery is tried anew, with all its attempts; one that is not DEAD is answered as it is. NOT_FOUND without such a delivery.',
  })
  redeliver(@Arg('deliveryId', () => ID, { description: 'UUID of the delivery.' }) deliveryId: string, @Ctx() context: Context) {
    return context.services.webhooks.redeliver(deliveryId);
  }

  @Admin()
  @Mutation(() => Int, { description: 'Admin: every DEAD delivery of a webhook is tried anew, soon. Answers how many. NOT_FOUND without such a webhook.' })
  redeliverAll(@Arg('webhookId', () => ID, { description: 'UUID of the webhook.' }) webhookId: string, @Ctx() context: Context) {
    return context.services.webhooks.redeliverAll(webhookId);
  }
}
