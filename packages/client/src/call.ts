import type { ClientPathsWithMethod, Client as FetchClient, FetchResponse, MaybeOptionalInit } from 'openapi-fetch';
import type { paths } from './openapi.d.ts';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
type PathWith<M extends Method> = ClientPathsWithMethod<FetchClient<paths>, M>;
type Init<M extends Method, Path extends keyof paths> = MaybeOptionalInit<paths[Path], M>;
type Arguments<T> = undefined extends T ? [init?: T] : [init: T];
type Data<T> = T extends { data: infer Value } ? Value : never;

/**
 * Sends a request to a path of the OpenAPI document. `init` contains its `params` and `body`, and options of `fetch` such as `signal`.
 *
 * @returns the body of the response; undefined if it has none
 * @throws ProblemError if the status is not a success; the error of `fetch` if there is no response; the reason of the `signal`
 */
export type Call<M extends Method> = <Path extends PathWith<M>>(
  path: Path,
  ...init: Arguments<Init<M, Path>>
) => Promise<Data<FetchResponse<paths[Path][M] & object, object, `${string}/${string}`>>>;
