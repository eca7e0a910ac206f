import type { Database, Embeddings, OwnerScope, RowKey } from '@quoin/db';
import { type Static, Type } from 'typebox';
import { createEmbedRows, rowsPerRequest } from '../embeddings/embed-rows.ts';
import type { Embedder } from '../embeddings/embedder.ts';
import type { JobKind, RunningJob } from '../queue/job.ts';
import type { Jobs } from '../queue/jobs.ts';

interface Dependencies {
  database: Database;
  embedder: Embedder;
}

export const EmbeddingJob = Type.Object({
  document_ids: Type.Array(Type.String()),
  /** Whose documents they are, if not those of the user of the job. */
  organization_id: Type.Optional(Type.String()),
});
export type EmbeddingJob = Static<typeof EmbeddingJob>;

/** Splits the ids of new texts of an owner into jobs. */
export const embeddingJobsFor = (ids: readonly string[], { owner }: OwnerScope): EmbeddingJob[] =>
  Array.from({ length: Math.ceil(ids.length / rowsPerRequest) }, (_, index) => ({
    document_ids: ids.slice(index * rowsPerRequest, (index + 1) * rowsPerRequest),
    ...(owner.organizationId !== undefined && { organization_id: owner.organizationId }),
  }));

/** Defines the job that computes the embeddings of documents. Until it has run, keyword search finds them. */
export function defineEmbeddingJob(
  jobs: Pick<Jobs, 'define'>,
  { database, embedder }: Dependencies,
): JobKind<EmbeddingJob> {
  const { documentEmbeddings, organizationDocumentEmbeddings } = database.system();
  /** @throws EmbeddingError if the service does not work */
  const embedIn = async (embeddings: Embeddings, running: RunningJob<EmbeddingJob>[]) =>
    createEmbedRows({ embeddings, embedder })(await embeddings.findWithout(running.flatMap(keysOf)));

  return jobs.define({
    name: 'embed documents',
    data: EmbeddingJob,
    concurrency: 2,
    batchSize: 16,
    retrySeconds: 30,
    retrySecondsMax: 86_400,
    runBatch: async (running) => {
      const ofUsers = running.filter(({ data }) => data.organization_id === undefined);
      const ofOrganizations = running.filter(({ data }) => data.organization_id !== undefined);
      const refused = new Map([
        ...(await embedIn(documentEmbeddings, ofUsers)),
        ...(await embedIn(organizationDocumentEmbeddings, ofOrganizations)),
      ]);
      const failureOf = (job: RunningJob<EmbeddingJob>) =>
        job.data.document_ids.map((id) => refused.get(id)).find((error) => error !== undefined);
      return new Map(running.flatMap((job) => (failureOf(job) ? [[job, failureOf(job)]] : [])));
    },
  });
}

const keysOf = ({ userId, data }: RunningJob<EmbeddingJob>): RowKey[] =>
  data.document_ids.map((id) => ({ owner_id: data.organization_id ?? userId ?? '', id }));
