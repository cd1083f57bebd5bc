"""The messenger: tells an app's backend by HTTP what happened in its channels."""
