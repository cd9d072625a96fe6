// The people of the demo, by what they do.

export const requester = "rita@example.org";
export const approver = "adam@example.org";
export const costOwner = "clara@example.org";
export const operator = "otto@example.org";
export const auditor = "audrey@example.org";
export const administrator = "ada@example.org";
