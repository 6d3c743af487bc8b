//! A Graph API on your own machine that answers as Meta does, faults included.
