"""What a task run provides: its window, params, XCom, batches, the lake's address, retries and failures."""
