import { defineEntity, p } from '@mikro-orm/core';
import type { Role } from '../../domain/states.js';

const schema = defineEntity({
  name: 'User',
  tableName: 'user',
  properties: {
    id: p.uuid().primary(),
    email: p.string().length(254).unique('user_email_unique'),
    name: p.string().length(100),
    passwordHash: p.string().length(255),
    role: p.string().length(5).$type<Role>(),
    createdAt: p.datetime(3),
  },
});

export class User extends schema.class {}
schema.setClass(User);
