"""What a task run knows: its window, params, XCom, batches, the lake's address, retries, failures."""
