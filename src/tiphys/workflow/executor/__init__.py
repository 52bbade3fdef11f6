"""What runs inside a pod: captures outputs and reports them."""
