import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn } from 'typeorm';

@Entity('users')
export class User {
  @PrimaryColumn('uuid')
  id: string;

  @Column('varchar', { length: 255 })
  email: string;

  @Column('varchar', { length: 50, nullable: true })
  username: string | null;

  @Column('varchar', { length: 255, select: false })
  password_hash: string;

  @Column('varchar', { length: 255, nullable: true })
  full_name: string | null;

  @Column('boolean', { default: true })
  is_active: boolean;

  @Column('boolean', { default: false })
  is_admin: boolean;

  @Column('timestamptz', { nullable: true })
  email_verified_at: Date | null;

  @CreateDateColumn({ type: 'timestamptz' })
  created_at: Date;

  @UpdateDateColumn({ type: 'timestamptz' })
  updated_at: Date;
}
