import { BaseCheckpointSaver, BaseStore } from "@langchain/langgraph";

type Call = (body: object | string) => Promise<any>;

/** The checkpointer of a task; `serve` makes one for each run. */
export class RemoteSaver extends BaseCheckpointSaver {
  constructor(options: { call: Call; thread?: string; channels?: (ns: string) => { specs: object; names: Set<string> } | undefined; serde?: any });
  getTuple: BaseCheckpointSaver["getTuple"];
  list: BaseCheckpointSaver["list"];
  put: BaseCheckpointSaver["put"];
  putWrites: BaseCheckpointSaver["putWrites"];
  deleteThread: BaseCheckpointSaver["deleteThread"];
}

/** The store of a task, under the run's owner. */
export class RemoteStore extends BaseStore {
  constructor(options: { call: Call });
  batch: BaseStore["batch"];
}
