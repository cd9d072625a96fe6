# What a node is, Gatehouse says: one class, its role, with parameters as data.
node default {}
