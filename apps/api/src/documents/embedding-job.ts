import type { Database, DocumentEmbeddings, DocumentKey, DocumentText, OwnerScope } from '@quoin/db';
import { type Static, Type } from 'typebox';
import { type JobKind, PermanentFailure, type RunningJob } from '../queue/job.ts';
import type { Jobs } from '../queue/jobs.ts';
import { type Embedder, EmbeddingError } from './embedder.ts';

interface Dependencies {
  database: Database;
  embedder: Embedder;
}

/** Documents that are embedded with one request, and by one job. */
const documentsPerRequest = 32;
const effort = { timeoutMs: 60_000, attemptsMax: 3 };

export const EmbeddingJob = Type.Object({
  document_ids: Type.Array(Type.String()),
  /** Whose documents they are, if not those of the user of the job. */
  organization_id: Type.Optional(Type.String()),
});
export type EmbeddingJob = Static<typeof EmbeddingJob>;

/** Splits the ids of new texts of an owner into jobs. */
export const embeddingJobsFor = (ids: readonly string[], { owner }: OwnerScope): EmbeddingJob[] =>
  Array.from({ length: Math.ceil(ids.length / documentsPerRequest) }, (_, index) => ({
    document_ids: ids.slice(index * documentsPerRequest, (index + 1) * documentsPerRequest),
    ...(owner.organizationId !== undefined && { organization_id: owner.organizationId }),
  }));

/** Defines the job that computes the embeddings of documents. Until it has run, keyword search finds them. */
export function defineEmbeddingJob(
  jobs: Pick<Jobs, 'define'>,
  { database, embedder }: Dependencies,
): JobKind<EmbeddingJob> {
  const { documentEmbeddings, organizationDocumentEmbeddings } = database.system();
  /** @throws EmbeddingError if the service does not work */
  const embedIn = async (embeddings: DocumentEmbeddings, running: RunningJob<EmbeddingJob>[]) =>
    createEmbedDocuments({ embeddings, embedder })(await embeddings.findWithout(running.flatMap(keysOf)));

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

const keysOf = ({ userId, data }: RunningJob<EmbeddingJob>): DocumentKey[] =>
  data.document_ids.map((id) => ({ owner_id: data.organization_id ?? userId ?? '', id }));

/** Returns a function that embeds documents, request by request. It resolves to the errors of the documents that the service refuses, by id. */
export function createEmbedDocuments({ embeddings, embedder }: { embeddings: DocumentEmbeddings; embedder: Embedder }) {
  /** @throws EmbeddingError if the service does not work */
  const embedDocuments = async (documents: readonly DocumentText[]): Promise<Map<string, PermanentFailure>> => {
    const refused = new Map<string, PermanentFailure>();
    for (let start = 0; start < documents.length; start += documentsPerRequest)
      await embed(documents.slice(start, start + documentsPerRequest), refused);
    return refused;
  };
  return embedDocuments;

  async function embed(documents: readonly DocumentText[], refused: Map<string, PermanentFailure>): Promise<void> {
    try {
      const texts = documents.map(({ title, content }) => `${title}\n\n${content}`);
      const vectors = await embedder.embed(texts, effort);
      const embedded = documents.flatMap((document, index) => {
        const embedding = vectors[index];
        return embedding ? [{ ...document, embedding }] : [];
      });
      await embeddings.set(embedded, embedder.model);
    } catch (error) {
      if (!(error instanceof EmbeddingError) || !error.isPermanent) throw error;
      // The service may refuse one text of the batch. The others must not fail with it.
      if (documents.length > 1) for (const one of documents) await embed([one], refused);
      else refused.set(documents[0]?.id ?? '', new PermanentFailure(error.message, { cause: error }));
    }
  }
}
