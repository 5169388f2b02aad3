import { Arg, Ctx, ID, Int, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.js';
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
    return context.services.webhooks.deadPage(first, after ?? null);
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
}
