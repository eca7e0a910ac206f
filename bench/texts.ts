import { embeddingWidth, toUnitVector, type Vector } from '@quoin/db';
import { createRandom } from './tools.ts';

// Texts belong to topics. Within a topic, they vary in a few directions much more than in the others.
const topicsTotal = 100;
const directionsOfTopic = 24;

/** Returns a generator of the vectors of texts, the same for the same seed. */
export function createTexts(seed: number) {
  const random = createRandom(seed);
  const gaussian = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const vector = (scale: number) => Float64Array.from({ length: embeddingWidth }, () => gaussian() * scale);
  const topics = Array.from({ length: topicsTotal }, () => ({
    center: vector(1),
    directions: Array.from({ length: directionsOfTopic }, () => vector(1)),
  }));
  return (): Vector => {
    // Some topics are more frequent than others.
    const topic = topics[Math.floor(random() ** 2 * topicsTotal)] as (typeof topics)[0];
    const text = Float64Array.from(topic.center);
    for (const direction of topic.directions) {
      const weight = gaussian() * 0.25;
      for (let axis = 0; axis < embeddingWidth; axis++)
        text[axis] = (text[axis] ?? 0) + weight * (direction[axis] ?? 0);
    }
    for (let axis = 0; axis < embeddingWidth; axis++) text[axis] = (text[axis] ?? 0) + gaussian() * 0.1;
    return toUnitVector([...text]) as Vector;
  };
}
