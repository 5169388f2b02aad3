import { Field, ObjectType } from 'type-graphql';

@ObjectType({ description: 'Where a page ends, and whether another follows.', simpleResolvers: true })
export class PageInfo {
  @Field(() => Boolean, { description: 'True when a further page follows.' })
  hasNextPage!: boolean;

  @Field(() => String, { nullable: true, description: 'Give it as `after` for the next page. Null on an empty page.' })
  endCursor!: string | null;
}
