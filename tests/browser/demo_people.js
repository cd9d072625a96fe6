// The people of the demo, by what they do.

const person = (name) => ({ name, email: `${name.split(" ")[0].toLowerCase()}@example.org` });

export const requester = person("Rita Requester");
export const approver = person("Adam Approver");
export const costOwner = person("Clara Cost");
export const operator = person("Otto Operator");
export const auditor = person("Audrey Auditor");
export const administrator = person("Ada Administrator");
