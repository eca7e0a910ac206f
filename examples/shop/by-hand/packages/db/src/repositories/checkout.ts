import { type Insertable, sql } from 'kysely';
import { newId } from '../new-id.ts';
import type { Tables } from '../schema/tables.ts';
import type { Context } from './context.ts';
import { versionOf } from './version.ts';

interface OrderedItem {
  product_id: string;
  quantity: number;
}

/** Orders with their items, and the stock that they take. Products belong to nobody, so a user's unit of work cannot change their stock. */
export const checkout = ({ db }: Context) => ({
  createOrder: async (order: Omit<Insertable<Tables['orders']>, 'id'>): Promise<string> => {
    const { id } = await db
      .insertInto('orders')
      .values({ id: newId(), ...order })
      .returning('id')
      .executeTakeFirstOrThrow();
    return id;
  },

  /** Resolves to the price of one piece; undefined if there are not enough. This statement decides between orders at the same time. */
  takeStock: async ({ product_id, quantity }: OrderedItem): Promise<string | undefined> => {
    const product = await db
      .updateTable('products')
      .set({ stock: sql<number>`stock - ${quantity}::int` })
      .where('id', '=', product_id)
      .where('stock', '>=', quantity)
      .returning('price')
      .executeTakeFirst();
    return product?.price;
  },

  createItem: (item: Omit<Insertable<Tables['order_items']>, 'id'>) =>
    db
      .insertInto('order_items')
      .values({ id: newId(), ...item })
      .execute(),

  /** Adds up the items. */
  complete: (user_id: string, id: string) =>
    db
      .updateTable('orders')
      .set({
        total: sql<string>`(select sum(price * quantity) from order_items i where i.user_id = ${user_id} and i.order_id = ${id})`,
      })
      .where('user_id', '=', user_id)
      .where('id', '=', id)
      .returning(['id', 'user_id', 'address', 'status', 'total', 'organization_id', 'created_at', 'updated_at'])
      .returning(versionOf('orders'))
      .executeTakeFirstOrThrow(),

  /** Resolves to whether an order of this total was waiting for its payment. */
  pay: async (user_id: string, id: string, total: string): Promise<boolean> => {
    const { numUpdatedRows } = await db
      .updateTable('orders')
      .set({ status: 'paid' })
      .where('user_id', '=', user_id)
      .where('id', '=', id)
      .where('status', '=', 'placed')
      .where('total', '=', total)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  },
});
