"""The verbs: detect, choose, pin, compose, execute, summarize; one public function a module."""
