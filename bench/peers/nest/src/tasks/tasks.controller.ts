import { Body, Controller, Get, Post, Request, UseGuards } from '@nestjs/common';
import { JwtAuthGuard } from '../auth/jwt-auth.guard.js';
import type { User } from '../users/user.entity.js';
import { CreateTaskDto } from './create-task.dto.js';
import { TasksService } from './tasks.service.js';

@UseGuards(JwtAuthGuard)
@Controller('tasks')
export class TasksController {
  constructor(private readonly tasks: TasksService) {}

  @Get()
  findPage(@Request() request: { user: User }) {
    return this.tasks.findPage(request.user.id);
  }

  @Post()
  create(@Request() request: { user: User }, @Body() task: CreateTaskDto) {
    return this.tasks.create(request.user.id, task);
  }
}
