import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { CreateTaskDto } from './create-task.dto.js';
import { Task } from './task.entity.js';

const pageSize = 20;

@Injectable()
export class TasksService {
  constructor(@InjectRepository(Task) private readonly tasks: Repository<Task>) {}

  async findPage(userId: string) {
    const rows = await this.tasks.find({ where: { user_id: userId }, order: { id: 'DESC' }, take: pageSize + 1 });
    const items = rows.slice(0, pageSize);
    return { items, next_cursor: rows.length > pageSize ? items[pageSize - 1]?.id : null };
  }

  create(userId: string, task: CreateTaskDto): Promise<Task> {
    return this.tasks.save(this.tasks.create({ ...task, user_id: userId }));
  }
}
