import { createUnionType, Field, ID, InputType, ObjectType } from 'type-graphql';
import { EmailTaken, InvalidCredentials, resultTypeOf } from './refusal.type.js';
import { DateTime } from './scalars.js';

@ObjectType({ description: 'An account. Only its owner sees it.', simpleResolvers: true })
export class User {
  @Field(() => ID, { description: 'UUID.' })
  id!: string;

  @Field(() => String, { description: 'In lower case.' })
  email!: string;

  @Field(() => String, { description: 'Up to 100 characters.' })
  name!: string;
}

@ObjectType({ description: 'What a client needs to act as a user.', simpleResolvers: true })
export class Session {
  @Field(() => String, { description: 'Send it as `Authorization: Bearer …`.' })
  accessToken!: string;

  @Field(() => DateTime, { description: 'Refresh the session before this instant.' })
  accessTokenExpiresAt!: Date;

  @Field(() => String, { description: 'Good for one refreshSession within 7 days; keep it secret.' })
  refreshToken!: string;

  @Field(() => User, { description: 'Who is signed in.' })
  user!: User;
}

@InputType({ description: 'A new account.' })
export class SignUpInput {
  @Field(() => String, { description: 'At most 254 characters; compared without case.' })
  email!: string;

  @Field(() => String, { description: '8 to 128 characters.' })
  password!: string;

  @Field(() => String, { description: '1 to 100 characters.' })
  name!: string;
}

@InputType({ description: 'Who signs in.' })
export class SignInInput {
  @Field(() => String, { description: 'As at sign-up; case does not matter.' })
  email!: string;

  @Field(() => String, { description: 'As at sign-up.' })
  password!: string;
}

export const SignUpResult = createUnionType({
  name: 'SignUpResult',
  description: 'A session, or why there is none.',
  types: () => [Session, EmailTaken] as const,
  resolveType: resultTypeOf('Session'),
});

export const SignInResult = createUnionType({
  name: 'SignInResult',
  description: 'A session, or why there is none.',
  types: () => [Session, InvalidCredentials] as const,
  resolveType: resultTypeOf('Session'),
});
