import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { GraphiQL } from 'graphiql';
import 'graphiql/style.css';
import { createFetcher } from './fetcher.js';
import { tabOf } from './tabs.ts';

globalThis.MonacoEnvironment = {
  getWorker: (_id, label) => new Worker(`/graphiql/${label === 'json' || label === 'graphql' ? label : 'editor'}.worker.js`),
};

/* global EXAMPLE_TABS -- put in by the build */
createRoot(document.getElementById('graphiql')).render(
  createElement(
    GraphiQL,
    {
      fetcher: createFetcher(location.origin, sessionStorage),
      defaultTabs: EXAMPLE_TABS.map(tabOf),
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false,
      defaultEditorToolsVisibility: true,
    },
    createElement(GraphiQL.Logo, null, 'Frontrow'),
  ),
);
